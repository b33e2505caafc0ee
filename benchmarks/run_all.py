"""Runs benchmarks, one after the other, and keeps what they print: results.md.

Each table stands there with the machine and the versions that it was made on; those of
benchmarks that are not run now stay. A benchmark that fails leaves its last lines, and
the next one is run. Those that compare what somebody must have made before,
`compare_*.py`, are not among them.

  python benchmarks/run_all.py [NAME ...]     bench_scoring, say; by default all

They have oneDNN's kernels where stages have them (`core/onednn.py`). By itself a
benchmark has TensorFlow's own choice, or what TF_ENABLE_ONEDNN_OPTS says.
"""

import datetime
import pathlib
import re
import subprocess
import sys
import time

from audioset_ml.core import onednn

FOLDER = pathlib.Path(__file__).parent
RESULTS = FOLDER / 'results.md'
_LINES_OF_FAILURE = 5


def section(path: pathlib.Path) -> tuple[str, bool]:
  """Runs a benchmark; what results.md says of it, and whether it went well."""
  title = path.read_text().removeprefix('"""').splitlines()[0].rstrip('"')
  start = time.perf_counter()
  done = subprocess.run(
    [sys.executable, path.name], cwd=FOLDER, capture_output=True, text=True
  )
  minutes = (time.perf_counter() - start) / 60
  printed = done.stdout.rstrip()
  if done.returncode:
    last = done.stderr.rstrip().splitlines()[-_LINES_OF_FAILURE:]
    printed = '\n'.join([printed, f'failed with {done.returncode}:', *last]).lstrip()
  date = datetime.date.today().isoformat()
  text = (
    f'## {path.stem}\n\n{title}\n\n```\n{printed}\n```\n\n{date}, {minutes:.1f} min\n'
  )
  return text, not done.returncode


def _kept() -> dict[str, str]:
  """The sections of results.md, by benchmark."""
  if not RESULTS.exists():
    return {}
  _, *sections = re.split(r'^## (?=bench_)', RESULTS.read_text(), flags=re.MULTILINE)
  return {text.split()[0]: f'## {text.rstrip()}\n' for text in sections}


def main(names: list[str]) -> int:
  paths = sorted(FOLDER.glob('bench_*.py'))
  if unknown := set(names) - {path.stem for path in paths}:
    print(f'error: no such benchmark: {", ".join(sorted(unknown))}', file=sys.stderr)
    return 1
  onednn.turn_on()  # as in the processes of stages
  all_well, texts = True, _kept()
  for path in paths:
    if names and path.stem not in names:
      continue
    print(f'{path.stem} …', flush=True)
    text, went_well = section(path)
    all_well &= went_well
    texts[path.stem] = text
    print(text, flush=True)
    sections = (texts[name] for name in sorted(texts))
    RESULTS.write_text('\n'.join(['# Results of `make benchmarks`\n', *sections]))
  return 0 if all_well else 1


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
