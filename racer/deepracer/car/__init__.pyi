from .archive import car_archive as car_archive, car_name as car_name
from .graph import frozen_graph as frozen_graph
