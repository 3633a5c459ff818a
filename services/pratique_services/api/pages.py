def add_pages(app, access, commands): pass
