select * from velocity($until, $hours) order by vid
