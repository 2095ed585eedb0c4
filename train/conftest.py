"""Its place lets the tests import the modules of this folder."""
