"""Package definition; exact versions are pinned in requirements.lock."""

import pathlib

import setuptools

ROOT = pathlib.Path(__file__).parent


def read_version() -> str:
  """The version string of audioset_ml/__init__.py, read without importing it."""
  for line in (ROOT / 'audioset_ml' / '__init__.py').read_text().splitlines():
    if line.startswith('__version__'):
      return line.split("'")[1]
  raise RuntimeError('audioset_ml/__init__.py defines no __version__')


setuptools.setup(
  name='audioset_ml',
  version=read_version(),
  description=(
    'Training and evaluation of sound-event classifiers on incompletely labelled data'
  ),
  long_description=(ROOT / 'README.md').read_text(),
  long_description_content_type='text/markdown',
  license='Apache-2.0',
  python_requires='>=3.11,<3.12',
  packages=setuptools.find_packages(include=['audioset_ml', 'audioset_ml.*']),
  package_data={'audioset_ml.reporting': ['*.html']},
  install_requires=[
    # tensorflow-io 0.37.1, its last release, loads under TensorFlow 2.17 and no
    # newer one; TensorFlow 2.17 breaks under NumPy 2.
    'tensorflow==2.17.1',
    'tensorflow-io==0.37.1',
    'keras>=3.5,<4',
    'numpy<2',
    'pandas>=3',
    'pyarrow>=16',
    'scikit-learn>=1.4',
    'scipy>=1.11',
    'absl-py>=2.1',
    'apache-beam>=2.60',
    'google-crc32c>=1.5',
    'h5py>=3.10',
    'soundfile>=0.12.1',
    'soxr>=0.3.7',
    'tqdm>=4.66',
    'matplotlib>=3.8',
    'pillow>=10',
  ],
  extras_require={
    'test': [
      'pytest>=8',
      'pytest-timeout>=2.3',
      'pytest-xdist>=3.5',
      'hypothesis>=6.100',
      'ruff>=0.6',
      'librosa>=0.10.2',
      'distributed>=2024.8',
      'cleanlab>=2.6',
      'selenium>=4.20',
    ],
    # `enhance --rule=cleanlab`.
    'cleanlab': ['cleanlab>=2.6'],
    # `evaluate --detection`.
    'detection': ['sed_scores_eval>=0.0.4'],
    # A cluster for `prepare --runner=DaskRunner`.
    'dask': ['distributed>=2024.8'],
  },
  entry_points={'console_scripts': ['audioset-ml=audioset_ml.cli:main']},
)
