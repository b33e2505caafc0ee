"""A headless Chromium for the tests of pages."""

import contextlib
import shutil
from collections.abc import Iterator, Sequence

import pytest


@contextlib.contextmanager
def chromium(
  downloads, width: int = 1280, height: int = 900, arguments: Sequence[str] = ()
) -> Iterator:
  """A browser, or a skipped test where there is none.

  Args:
    downloads: folder for what pages save.
    width, height: of the window, in pixels.
    arguments: more of its arguments, without their dashes.
  """
  webdriver = pytest.importorskip('selenium.webdriver')
  browser, driver = shutil.which('chromium'), shutil.which('chromedriver')
  if not (browser and driver):
    pytest.skip('no chromium and chromedriver (Debian: chromium, chromium-driver)')
  options = webdriver.ChromeOptions()
  options.binary_location = browser
  usual = ('headless=new', 'no-sandbox', 'disable-gpu', 'mute-audio')
  for argument in (*usual, *arguments):
    options.add_argument(f'--{argument}')
  options.add_experimental_option(
    'prefs', {'download.default_directory': str(downloads)}
  )
  options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
  service = webdriver.ChromeService(executable_path=driver)
  window = webdriver.Chrome(options=options, service=service)
  # A window of its own can't be narrower than 500 pixels; this is what a phone does.
  window.execute_cdp_cmd(
    'Emulation.setDeviceMetricsOverride',
    {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': width < 600},
  )
  try:
    yield window
    errors = [line for line in window.get_log('browser') if line['level'] == 'SEVERE']
    assert not errors, errors
  finally:
    window.quit()
