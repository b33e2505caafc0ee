"""Runs the page of `export --page` for benchmarks, in a headless Chromium."""

import contextlib
import pathlib
import shutil
import time
from collections.abc import Iterator

import numpy as np

# Scores the first samples of the sound for some seconds, once at least: the fastest
# call's seconds, behind one that plans for their number, and its scores.
_MEASURE = """
const [samples, seconds, done] = arguments, part = given.slice(0, samples);
(async () => {
  let scores = await ask('score', part), best = Infinity;
  const start = performance.now();
  do {
    const begun = performance.now();
    scores = await ask('score', part);
    best = Math.min(best, performance.now() - begun);
  } while (performance.now() - start < 1000 * seconds);
  return [best / 1000, [...scores]];
})().then(done, (error) => done(String(error)));
"""


class PageRun:
  """An opened page that has been given a sound."""

  def __init__(self, window, sound: np.ndarray):
    """Args: selenium's driver, with the page ready; the sound, [samples], float32."""
    self._window = window
    window.execute_script(
      'window.given = Float32Array.from(arguments[0])', sound.tolist()
    )

  def measure(self, samples: int, seconds: float) -> tuple[float, np.ndarray]:
    """The fastest call's seconds, of as many as take so long, and its scores, flat.

    Raises:
      RuntimeError: the model fails there.
    """
    found = self._window.execute_async_script(_MEASURE, samples, seconds)
    if isinstance(found, str):
      raise RuntimeError(f'the page: {found}')
    return found[0], np.array(found[1], np.float32)


def why_none() -> str:
  """What is lacking to run pages; '' for nothing."""
  try:
    import selenium  # noqa: F401
  except ImportError:
    return 'no selenium'
  return '' if all(map(shutil.which, ('chromium', 'chromedriver'))) else 'no chromium'


@contextlib.contextmanager
def opened(page: pathlib.Path, sound: np.ndarray) -> Iterator[PageRun]:
  """Opens a page.

  Raises:
    RuntimeError: it is not ready within two minutes.
  """
  from selenium import webdriver

  options = webdriver.ChromeOptions()
  options.binary_location = shutil.which('chromium')
  for argument in ('headless=new', 'no-sandbox', 'disable-gpu'):
    options.add_argument(f'--{argument}')
  service = webdriver.ChromeService(executable_path=shutil.which('chromedriver'))
  window = webdriver.Chrome(options=options, service=service)
  try:
    window.set_script_timeout(600)
    window.get(page.resolve().as_uri())
    deadline = time.monotonic() + 120
    while (text := window.find_element('id', 'status').text) != 'Ready.':
      if time.monotonic() > deadline:
        raise RuntimeError(f'{page}: not ready: {text}')
      time.sleep(0.1)
    yield PageRun(window, sound)
  finally:
    window.quit()
