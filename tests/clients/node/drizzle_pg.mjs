// Drizzle on node-postgres, all from the URL.
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { hold, query, url } from "./hold.mjs";

const db = drizzle(url);
await hold(() => db.execute(sql.raw(query)));
