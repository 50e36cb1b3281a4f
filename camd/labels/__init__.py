"""What people said of photos in other tools, taken in as a person's word.

hearing     what files of labels say, and what is wrong with them
classes     the names of classes that go with YOLO's numbers
yolo, coco  the forms
photos      which photo of the store is meant
taking      what was heard counts from now on

Knows no command line. Everything here blocks.
"""
