"""A study written up in LaTeX: figures, tables with intervals, a paragraph on the methods.

`write.write_paper` writes all of it, and a ``main.tex`` that shows all of it.
"""
