"""YAMNet's published weights on real recordings, through `tag`."""

import pytest

from tests.stages import run_stage_ok

NAMES = {
  '001 - Dog bark': 'Dog',
  '002 - Rain': 'Rain',
  '004 - Baby cry': 'Baby cry, infant cry',
  '007 - Helicopter': 'Helicopter',
  '008 - Chainsaw': 'Chainsaw',
}


@pytest.fixture(scope='module')
def printed(shared_data):
  """What `tag` prints of eight files of each class."""
  weights = shared_data('yamnet/yamnet_approx.h5')
  files = [
    path
    for name in NAMES
    for path in sorted(shared_data(f'esc10/{name}').glob('*.ogg'))[::5]
  ]
  lines = run_stage_ok(
    'tag', f'--model={weights}', '--top=5', '--clip_score=mean', *files
  ).splitlines()
  return {lines[i]: lines[i + 1 : i + 6] for i in range(0, len(lines), 6)}


@pytest.mark.long
@pytest.mark.parametrize('folder', NAMES)
def test_sounds_are_named_where_they_are(printed, folder):
  # 1 in 100 would be by chance; with these approximate weights 20 to 40 of all 40 are.
  found = [
    NAMES[folder] in [line.rpartition('  ')[2] for line in tags]
    for path, tags in printed.items()
    if folder in path
  ]
  assert len(found) == 8
  assert sum(found) >= 3
