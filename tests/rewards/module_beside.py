"""Imports a module that lies beside it and has a state of its own."""
import beside_bends as bends
from beside_bends import remember


def reward_function(params):
    from beside_bends import turned as now_turned
    remember(params["heading"])
    return bends.turned() / 180 + now_turned() / 360 + len(bends.headings) * 1e-4
