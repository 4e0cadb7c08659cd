"""Copies its input, and turns it to text and back."""
import copy
import json
import pickle

last = None


def reward_function(params):
    global last
    text = json.dumps(params, sort_keys=True)
    again = json.loads(text)
    assert again["waypoints"][3] == list(params["waypoints"][3])
    mine = copy.deepcopy(params)
    assert pickle.loads(pickle.dumps(params)) == mine == params and type(params) is dict
    gained = 0.0 if last is None else mine["progress"] - last["progress"]
    last = mine
    return gained + len(again)
