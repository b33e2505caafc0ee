"""How to cite this software and the two papers: what CITATION.cff says, as BibTeX."""

import audioset_ml

SOFTWARE = f"""@software{{audioset_ml,
  author = {{{{The audioset\\_ml authors}}}},
  title = {{audioset\\_ml}},
  version = {{{audioset_ml.__version__}}},
}}"""
ML20 = """@article{fonseca2020addressing,
  author = {Fonseca, Eduardo and Hershey, Shawn and Plakal, Manoj and
    Ellis, Daniel P. W. and Jansen, Aren and Moore, R. Channing},
  title = {Addressing Missing Labels in Large-Scale Sound Event Recognition Using a
    Teacher-Student Framework With Loss Masking},
  journal = {IEEE Signal Processing Letters},
  year = {2020},
  url = {https://arxiv.org/abs/2005.00878},
}"""
SL21 = """@inproceedings{hershey2021benefit,
  author = {Hershey, Shawn and Ellis, Daniel P. W. and Fonseca, Eduardo and
    Jansen, Aren and Liu, Caroline and Moore, R. Channing and Plakal, Manoj},
  title = {The Benefit of Temporally-Strong Labels in Audio Event Classification},
  booktitle = {ICASSP 2021},
  year = {2021},
  url = {https://arxiv.org/abs/2105.07031},
}"""
