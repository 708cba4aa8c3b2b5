-- Of the videos in `admitted`, those that no file of the registry describes.
select vid from admitted anti join raw_videos using (vid)
