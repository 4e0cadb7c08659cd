from .cockpit import Cockpit as Cockpit, Controls as Controls
from .live import LivePicture as LivePicture, LiveWindow as LiveWindow
from .watch import watch as watch
