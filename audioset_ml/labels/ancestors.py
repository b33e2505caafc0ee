"""Which ancestors in the ontology a positive implies (`labels.ontology`).

Apart, so that flags can name the choices without pandas.
"""

# All (SL21 3.1), or only those up to which each class has one parent (Tuncay et al.
# 2025).
IMPLIED = ('all', 'unambiguous')
