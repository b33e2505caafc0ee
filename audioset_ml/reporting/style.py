"""What all figures share: colours, fonts, and how a figure is saved.

Figures are made without pyplot, so that drawing needs no display and leaves no state.
"""

import contextlib
import io
import os
from collections.abc import Iterator

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError
from audioset_ml.core.paths import as_path

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLORS = {
  'blue': '#0072B2',
  'ochre': '#E69F00',
  'green': '#009E73',
  'vermilion': '#D55E00',
  'purple': '#CC79A7',
  'sky': '#56B4E9',
  'black': '#000000',
}
DPI = 300

# What dates each file would make of the same figure other bytes.
_METADATA = {'png': {}, 'pdf': {'CreationDate': None}, 'svg': {'Date': None}}

_STYLE = {
  'font.family': 'DejaVu Sans',  # comes with matplotlib: the same layout everywhere
  'font.size': 7,
  'axes.titlesize': 7,
  'axes.titlelocation': 'left',
  'axes.titlepad': 3,
  'axes.labelsize': 7,
  'axes.labelpad': 2,
  'axes.linewidth': 0.5,
  'xtick.labelsize': 6.5,
  'ytick.labelsize': 6.5,
  'xtick.major.width': 0.5,
  'ytick.major.width': 0.5,
  'xtick.major.size': 2.5,
  'ytick.major.size': 2.5,
  'legend.fontsize': 6.5,
  'legend.frameon': False,
  'hatch.linewidth': 0.5,
  'pdf.fonttype': 42,  # publishers refuse matplotlib's default, Type 3
  'svg.hashsalt': 'audioset_ml',
}


@contextlib.contextmanager
def applied() -> Iterator[None]:
  """Draws in this style; also a decorator, `@applied()`, of functions that draw."""
  with matplotlib.rc_context(_STYLE):
    yield


def plain(text: str) -> str:
  """A text as it stands: matplotlib takes what is between two $ for mathematics."""
  return text.replace('$', r'\$')


def new_figure(width: float, height: float) -> Figure:
  """An empty figure of a size in inches, 300 dots an inch."""
  figure = Figure(figsize=(width, height), dpi=DPI)
  FigureCanvasAgg(figure)  # gives texts a size before the figure is saved
  return figure


def save(figure: Figure, path: str | os.PathLike) -> None:
  """Writes a figure under another name, then renames it; its ending is the format.

  Raises:
    InputError: see `require_writable`.
  """
  require_writable(path)
  kind, content = _ending(path), io.BytesIO()
  with applied():
    figure.savefig(content, format=kind, metadata=_METADATA[kind])
  folders.write_atomically(as_path(path), content.getvalue())


def require_writable(path: str | os.PathLike) -> None:
  """Raises InputError if a figure can't be saved there, before it is drawn."""
  require_format(path)
  folders.require_writable(path)


def require_format(path: str | os.PathLike) -> None:
  """Raises InputError if a file's name says no format of figures."""
  if _ending(path) not in _METADATA:
    endings = ', '.join(f'.{kind}' for kind in _METADATA)
    raise InputError(f'{os.fspath(path)}: its ending says no format; use {endings}')


def _ending(path: str | os.PathLike) -> str:
  return os.path.splitext(os.fspath(path))[1].lower().removeprefix('.')
