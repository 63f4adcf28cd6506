"""Masks: colours in files, class indices in memory.

In memory a mask is a uint8 array `H x W` of class indices. Colours exist only at the edges of the program:
a `ColorMap` turns them into indices on reading and back on writing. Masks are never interpolated.
"""
