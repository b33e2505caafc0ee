"""How often YAMNet's published weights name ESC-10's sounds: top-1, top-3, top-5.

  python experiments/esc10/tag_yamnet.py <folder of ESC-10> <yamnet.h5>

The class map, yamnet_class_map.csv, is taken from beside the weights.
"""

import pathlib
import sys

from audioset_ml.models.tagging import tag_files
from audioset_ml.models.waveform_loading import load_waveform_model

# For each folder the YAMNet classes that name its sound.
NAMES = {
  '001 - Dog bark': ('Dog', 'Bark', 'Yip', 'Bow-wow'),
  '002 - Rain': ('Rain', 'Raindrop', 'Rain on surface'),
  '003 - Sea waves': ('Waves, surf', 'Ocean'),
  '004 - Baby cry': ('Baby cry, infant cry', 'Crying, sobbing'),
  '005 - Clock tick': ('Tick', 'Tick-tock', 'Clock'),
  '006 - Person sneeze': ('Sneeze',),
  '007 - Helicopter': ('Helicopter',),
  '008 - Chainsaw': ('Chainsaw',),
  '009 - Rooster': ('Chicken, rooster', 'Crowing, cock-a-doodle-doo', 'Fowl'),
  '010 - Fire crackling': ('Fire', 'Crackle'),
}
RANKS = (1, 3, 5)


def main() -> None:
  if len(sys.argv) != 3:
    sys.exit(__doc__)
  folder = pathlib.Path(sys.argv[1])
  model = load_waveform_model(sys.argv[2])
  print(f'{"class":22}{"files":>6}' + ''.join(f'{f"top {k}":>7}' for k in RANKS))
  for name, accepted in NAMES.items():
    files = sorted(str(path) for path in (folder / name).glob('*.ogg'))
    hits = dict.fromkeys(RANKS, 0)
    for tags in tag_files(model, files):
      if isinstance(tags, Exception):
        raise tags
      best = [model.class_names[index] for index in tags.top(max(RANKS), 'mean')]
      for rank in RANKS:
        hits[rank] += bool(set(best[:rank]) & set(accepted))
    print(f'{name:22}{len(files):6}' + ''.join(f'{hits[k]:7}' for k in RANKS))


if __name__ == '__main__':
  main()
