-- What was published, as views over `raw_velocity` and `raw_rankings`: the files of every day, with their `day`.
create view daily_velocity as select * from raw_velocity;

create view rankings as select * from raw_rankings;
