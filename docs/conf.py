"""The configuration of the site: `make docs` calls docs/make_site.py, which assembles the pages and runs Sphinx."""

import tinygrad_dl

project = "tinygrad_dl"
author = "The tinygrad_dl developers"
version = release = tinygrad_dl.__version__
html_title = f"tinygrad_dl {release}"

extensions = ["myst_nb", "_ext.entries", "_ext.drawings", "_ext.mathml", "_ext.navigation", "_ext.outputs"]
html_math_renderer = "mathml"  # browsers draw it themselves: nothing is fetched, and no script runs
nitpicky = True

# -- Markdown and notebooks ------------------------------------------------------------------------------------------
myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 60
nb_execution_raise_on_error = True
nb_merge_streams = True

# -- entries of the API ----------------------------------------------------------------------------------------------
add_function_parentheses = False
python_use_unqualified_type_names = True
maximum_signature_line_length = 78
toc_object_entries_show_parents = "hide"

# -- appearance ------------------------------------------------------------------------------------------------------
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/logo.svg"
html_logo = "_static/logo.svg"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
