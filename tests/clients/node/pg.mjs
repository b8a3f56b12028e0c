// node-postgres. Nothing outside the code sets its size; this code reads DB_POOL_MAX, where it is set.
import pg from "pg";
import { hold, max, query, url } from "./hold.mjs";

const pool = new pg.Pool({ connectionString: url, ...(max && { max }) });
await hold(() => pool.query(query));
