# -*- coding: latin-1 -*-
"""Geschwindigkeit für jede Größe: Umlaute in Latin-1, auch in Namen."""

größe = {"schön": 2.0, "häßlich": 0.5}


def reward_function(params):
    art = "schön" if params["all_wheels_on_track"] else "häßlich"
    return größe[art] * params["speed"]
