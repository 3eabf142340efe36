"""One file for each form: from the files of a data set to pictures with their objects.

supervision 0.31.2 reads the boxes of VOC, YOLO and COCO exactly, but loses VOC's `difficult`, keeps Roboflow's category
0 as a class and does not follow the splits of `data.yaml`, so the readers are our own.
"""
