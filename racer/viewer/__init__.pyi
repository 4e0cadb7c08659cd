from .clip import CLIP as CLIP, Clip as Clip, ClipFacts as ClipFacts, load_clip as load_clip, save_clip as save_clip
from .cockpit import Cockpit as Cockpit, Controls as Controls
from .follow import follow as follow, save_clip_picture as save_clip_picture
from .live import LivePicture as LivePicture, LiveWindow as LiveWindow
from .looks import Looks as Looks
from .watch import watch as watch
