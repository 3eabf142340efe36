"""From flat faces in metres to pixels: camera, light, canvas, textures, sky and weather."""
