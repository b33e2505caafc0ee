"""`python -m audioset_ml STAGE`, the same as `audioset-ml STAGE`."""

from audioset_ml.cli import main

if __name__ == '__main__':
  main()
