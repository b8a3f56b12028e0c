"""Tortoise ORM, all from the URL."""
import asyncio

from tortoise import Tortoise

import hold


async def main():
    await Tortoise.init(db_url=hold.URL, modules={"models": ["__main__"]}, _enable_global_fallback=True)
    connection = Tortoise.get_connection("default")
    await hold.in_tasks(lambda: connection.execute_query(hold.QUERY))


asyncio.run(main())
