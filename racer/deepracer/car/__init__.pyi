from .archive import (
    car_archive as car_archive,
    car_name as car_name,
    check_car as check_car,
    save_car as save_car,
)
from .graph import frozen_graph as frozen_graph
from .importing import read_car_model as read_car_model
from .reading import network_from_graph as network_from_graph
