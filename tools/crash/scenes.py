from load import Lost
SCENES = {}
