"""The one door to a project for every view: the command line today, a web page tomorrow.

One module a concern; each is imported only by the views that need it.
"""
