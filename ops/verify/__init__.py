"""`fanout verify`: is each projection what the table says it should be?"""
