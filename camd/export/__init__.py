"""Photos of a store as a data set, in the forms that other tools take.

choice      which photos: by camera, time, class, by whose word, and how many
sides       what is for training and what for validation; no camera's night is in both
picture     one photo with what is on it, as every form is given it
placing     photos of the store appear elsewhere: linked where that can be, else copied
yolo, coco, camtrap, tables
            the forms
card        what the data set is, in words and numbers, for people
making      all of it in turn; a data set is there whole or not at all

Knows no command line. Everything here blocks.
"""
