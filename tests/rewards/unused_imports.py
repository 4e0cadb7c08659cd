"""Imports more than it needs, and stars."""
import os, sys, re, json, random, collections, itertools
import numpy as np
from math import *
from random import *


def reward_function(params):
    unused = 5
    return sqrt(params['speed']) * cos(radians(params['steering_angle'])) + floor(params['progress']) / 100
