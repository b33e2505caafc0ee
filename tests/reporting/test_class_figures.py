"""Figures with a point a class: what their legends and names say, and hide."""

import itertools

import numpy as np
import pandas as pd

from audioset_ml.reporting.evaluation_figures import draw_scatter
from audioset_ml.reporting.label_figures import prior_scatter


def test_a_legend_counts_classes_and_not_their_points_and_stays_in_the_figure():
  groups = {'large': 2, 'medium': 5, 'small': 400}
  rows = [
    {'mid': f'/m/{group}{n}', 'group': group, 'lwlrap_baseline': 0.5}
    for group, count in groups.items()
    for n in range(count)
    for _ in range(5)
  ]
  figure = draw_scatter(pd.DataFrame(rows).assign(lwlrap_model=0.6))
  figure.draw_without_rendering()
  (legend,) = figure.legends
  assert [text.get_text() for text in legend.get_texts()] == [
    'large prior (2 classes, 10 points: one a class and trial)',
    'medium prior (5 classes, 25 points: one a class and trial)',
    'small prior (400 classes, 2,000 points: one a class and trial)',
  ]
  box = legend.get_window_extent()
  assert box.x1 <= figure.bbox.x1
  assert not box.overlaps(figure.axes[0].get_window_extent())
  large, medium, small = figure.axes[0].collections
  assert large.get_zorder() > medium.get_zorder() > small.get_zorder()
  assert small.get_alpha() < large.get_alpha()


def test_names_of_classes_cover_no_name_and_no_point_and_the_frequent_have_one():
  generator = np.random.default_rng(0)
  weak = np.r_[0.3, 0.27, generator.uniform(0.002, 0.004, 80)]
  strong = np.r_[0.4, 0.11, 10 ** generator.uniform(-3, -1, 80)]
  names = ['Speech', 'Music', *(f'A long class name {n}' for n in range(80))]
  figure = prior_scatter(
    pd.DataFrame({'display_name': names, 'weak_prior': weak, 'strong_prior': strong})
  )
  figure.draw_without_rendering()
  (axes,) = figure.axes
  texts = [text for text in axes.texts if not text.get_text().startswith('×')]
  shown = [text.get_text() for text in texts]
  assert {'Speech', 'Music'} <= set(shown)
  assert len(shown) > 3
  boxes = [text.get_window_extent() for text in texts]
  assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
  points = axes.transData.transform(np.column_stack([weak, strong]))
  assert not any(box.contains(*point) for box in boxes for point in points)
