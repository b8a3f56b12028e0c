"""asyncpg's own pool, all from the URL."""
import asyncio

import asyncpg

import hold


async def main():
    pool = await asyncpg.create_pool(hold.URL)
    await hold.in_tasks(lambda: pool.execute(hold.QUERY))


asyncio.run(main())
