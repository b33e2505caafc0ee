"""Package definition; exact versions, as tested, are in environments/*.lock."""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent


def read_version() -> str:
  """The version string of audioset_ml/__init__.py, read without importing it."""
  for line in (ROOT / 'audioset_ml' / '__init__.py').read_text().splitlines():
    if line.startswith('__version__'):
      return line.split("'")[1]
  raise RuntimeError('audioset_ml/__init__.py defines no __version__')


def read_description() -> str:
  """README without its pictures and links to files, which an index would not find."""
  readme = (ROOT / 'README.md').read_text(encoding='utf-8')
  readme = re.sub(
    r'^!\[[^\]]*\]\((?!https?:)[^)]*\)\n+', '', readme, flags=re.MULTILINE
  )
  return re.sub(r'\[([^\]]*)\]\((?!https?:)[^)]*\)', r'\1', readme)


# `prepare`, `score` and `enhance` on many machines.
BEAM = ['apache-beam>=2.65']
# A cluster of Dask's for them.
DASK = [*BEAM, 'distributed>=2024.8']
# `enhance --rule=cleanlab`.
CLEANLAB = ['cleanlab>=2.6']
# `export --formats=onnx`, and running what `export` writes by the runtimes of phones
# and servers. onnx 1.19.0 doesn't run with the ml_dtypes that TensorFlow 2.17 needs.
DEPLOY = [
  'ai-edge-litert>=2.0',
  'onnx>=1.17,!=1.19.0',
  'onnxruntime>=1.20',
  'tf2onnx>=1.17',
]
# Enough to run those tests that need none of the above.
TEST_FEW = [
  'pytest>=8',
  'pytest-timeout>=2.3',
  'pytest-xdist>=3.5',
  'hypothesis>=6.100',
  # The environments are built without isolation, so that nothing is downloaded.
  'setuptools>=77',
  'wheel>=0.43',
]

setuptools.setup(
  name='audioset_ml',
  version=read_version(),
  description=(
    'Training and evaluation of sound-event classifiers on incompletely labelled data'
  ),
  long_description=read_description(),
  long_description_content_type='text/markdown',
  license='Apache-2.0',
  license_files=['LICENSE'],
  project_urls={
    'Paper (loss masking, 2020)': 'https://arxiv.org/abs/2005.00878',
    'Paper (strong labels, 2021)': 'https://arxiv.org/abs/2105.07031',
    'AudioSet': 'https://research.google.com/audioset/',
  },
  keywords='AudioSet, YAMNet, sound event detection, missing labels, TensorFlow, Keras',
  classifiers=[
    'Development Status :: 4 - Beta',
    'Intended Audience :: Science/Research',
    'Operating System :: POSIX :: Linux',
    'Programming Language :: Python :: 3.11',
    'Programming Language :: Python :: 3.12',
    'Programming Language :: Python :: 3.13',
    'Topic :: Multimedia :: Sound/Audio :: Analysis',
    'Topic :: Scientific/Engineering :: Artificial Intelligence',
  ],
  python_requires='>=3.11,<3.14',
  packages=setuptools.find_packages(include=['audioset_ml', 'audioset_ml.*']),
  # Said, so that an editable installation is a path and no import hook, before which a
  # folder named audioset_ml would go: that which holds this clone, to begin with.
  package_dir={'': '.'},
  package_data={'audioset_ml': ['py.typed'], 'audioset_ml.reporting': ['*.html']},
  install_requires=[
    # From the oldest to the newest that the tests run on; what lies between is not
    # tried. A newer one is not allowed: each release so far moved something that a run
    # only shows (2.18 ended tensorflow-io, 2.21 left out tensorboard).
    'tensorflow>=2.17,<2.22',
    'tensorboard>=2.17,<2.22',
    'keras>=3.5,<3.16',
    'numpy>=1.26,<3',
    'pandas>=3,<4',
    'pyarrow>=16',
    'scikit-learn>=1.4',
    'scipy>=1.11',
    'absl-py>=2.1',
    'h5py>=3.10',
    'protobuf>=4.25.9',
    'av>=18',
    'soundfile>=0.12.1',
    'soxr>=0.3.7',
    'tqdm>=4.66',
    'matplotlib>=3.8',
    'pillow>=10',
  ],
  extras_require={
    'beam': BEAM,
    'dask': DASK,
    'cleanlab': CLEANLAB,
    'deploy': DEPLOY,
    # `tag --microphone`; needs PortAudio.
    'microphone': ['sounddevice>=0.4.6'],
    # Decoding inside a graph, and more file systems. Its last release has wheels for
    # Python up to 3.12 and loads under TensorFlow 2.17 and no newer one.
    'tensorflow-io': [
      'tensorflow-io==0.37.1',
      'tensorflow>=2.17,<2.18',
      'setuptools<81',  # the command `tensorboard` of 2.17 imports pkg_resources
    ],
    'test-few': TEST_FEW,
    'test': [
      *TEST_FEW,
      *DASK,
      *CLEANLAB,
      'build>=1.2',
      'import-linter>=2.11',
      'librosa>=0.10.2',
      'ruff>=0.6',
      'selenium>=4.20',
    ],
  },
  entry_points={'console_scripts': ['audioset-ml=audioset_ml.cli:main']},
)
