// Drizzle on postgres.js, all from the URL.
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/postgres-js";
import { hold, query, url } from "./hold.mjs";

const db = drizzle(url);
await hold(() => db.execute(sql.raw(query)));
