"""Indented with tabs, and a semicolon or two."""
def reward_function(params):
	speed = params["speed"]; reward = 1.0
	if speed > 2:
		reward += speed
		if params["is_left_of_center"]: reward *= 1.5
	else:
	        reward -= 0.1
	return reward
