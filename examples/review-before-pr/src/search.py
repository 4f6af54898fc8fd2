"""Search in the notes of one user."""


def search(db, user, words):
    """The ids and titles of this user's notes with all these words in the title, newest first."""
    where = " and ".join("title like ?" for _ in words)
    query = "select id, title from note where owner = ?" + (" and " + where if words else "") + " order by id desc"
    return db.execute(query, [user.id, *(f"%{word}%" for word in words)]).fetchall()
