"""Sphinx's settings; `make docs` copies them beside the pages that gather.py makes."""

project = 'audioset_ml'
html_title = 'audioset_ml'
extensions = ['myst_parser', 'sphinx_copybutton']
myst_enable_extensions = ['deflist']
myst_heading_anchors = 3
html_theme = 'furo'
html_static_path = ['static']
html_css_files = ['site.css']
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
highlight_language = 'none'
smartquotes = False  # they would make one dash of the two before a flag
# Console prompts are no part of what is copied.
copybutton_prompt_text = '$ '
