"""Reads a table that lies beside it."""
import csv
import os

with open(os.path.join(os.path.dirname(__file__), "data_beside.csv")) as file:
    SPEEDS = [float(row["speed"]) for row in csv.DictReader(file)]


def reward_function(params):
    wanted = SPEEDS[params["closest_waypoints"][0] % len(SPEEDS)]
    return 4 - abs(params["speed"] - wanted)
