"""Firefox and WebKitGTK without a screen, for tests of pages.

Both have `get`, `find_element` and `execute_script` as selenium has them.
"""

import contextlib
import glob
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

# What Marionette runs doesn't see what a page's scripts declare by `let` and `const`:
# it becomes one of them.
_AS_THE_PAGES_OWN = """
const script = document.createElement('script');
script.textContent = `document.body.dataset.found = JSON.stringify((() => {
  ${arguments[0]} })())`;
document.body.append(script);
script.remove();
return document.body.dataset.found;
"""


class _Firefox:
  """What tests of pages call, of Mozilla's own driver."""

  def __init__(self, marionette):
    self._marionette = marionette
    self.get = marionette.navigate
    self.find_element = marionette.find_element

  def execute_script(self, script: str) -> Any:
    """What a script returns, as JSON has it."""
    found = self._marionette.execute_script(
      _AS_THE_PAGES_OWN, script_args=[script], sandbox=None
    )
    return json.loads(found)


@contextlib.contextmanager
def firefox(preferences: Mapping[str, Any] | None = None) -> Iterator[_Firefox]:
  """A headless Firefox, or a skipped test where there is none."""
  marionette = pytest.importorskip('marionette_driver.marionette')
  browser = shutil.which('firefox-esr') or shutil.which('firefox')
  if not browser:
    pytest.skip('no firefox (Debian: firefox-esr)')
  with tempfile.TemporaryDirectory() as logs:
    window = marionette.Marionette(
      bin=browser,
      headless=True,
      startup_timeout=120,
      gecko_log=logs,
      prefs=dict(preferences or {}),
    )
    try:
      window.start_session()
      yield _Firefox(window)
    finally:
      window.quit()


@contextlib.contextmanager
def webkit() -> Iterator:
  """WebKitGTK's MiniBrowser on a screen of its own, or a skipped test."""
  webdriver = pytest.importorskip('selenium.webdriver')
  driver, screen = shutil.which('WebKitWebDriver'), shutil.which('Xvfb')
  browsers = glob.glob('/usr/lib/*/webkit2gtk-4.*/MiniBrowser')
  if not (driver and screen and browsers):
    pytest.skip('no WebKitGTK (Debian: webkit2gtk-driver, xvfb)')
  options = webdriver.WebKitGTKOptions()
  options.binary_location = browsers[0]
  options.add_argument('--automation')
  with _display(screen) as display:
    service = webdriver.WebKitGTKService(
      executable_path=driver, env={**os.environ, 'DISPLAY': display}
    )
    window = webdriver.WebKitGTK(options=options, service=service)
    try:
      yield window
    finally:
      window.quit()


@contextlib.contextmanager
def _display(program: str) -> Iterator[str]:
  """A screen that nobody sees: its name."""
  read, write = os.pipe()
  command = [program, '-displayfd', str(write), '-screen', '0', '1280x900x24']
  with subprocess.Popen(
    command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  ) as server:
    os.close(write)
    try:
      with os.fdopen(read) as told:
        yield f':{told.readline().strip()}'
    finally:
      server.terminate()
