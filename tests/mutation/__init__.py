"""Small bugs, drawn by rule and put into the package one by one: which do the tests find?"""
