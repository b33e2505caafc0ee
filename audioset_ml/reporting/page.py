"""Pages that open without a server: a template with its data put in."""

import json
import os
import pathlib
from typing import Any

from audioset_ml.core import folders

_PLACE = '"__DATA__"'


def write_page(template: str, data: dict[str, Any], output: str | os.PathLike) -> None:
  """Writes a page.

  Args:
    template: the name of an HTML file of this package.
    data: what its script finds under `data`; no NaN.
    output: the file to write.
  """
  page = pathlib.Path(__file__).with_name(template).read_text(encoding='utf-8')
  text = json.dumps(data, ensure_ascii=False, allow_nan=False)
  # So that no text of the data can end the script.
  text = text.replace('<', '\\u003c')
  folders.write_atomically(pathlib.Path(output), page.replace(_PLACE, text))
