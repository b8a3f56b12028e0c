// postgres.js, all from the URL.
import postgres from "postgres";
import { hold, query, url } from "./hold.mjs";

const sql = postgres(url);
await hold(() => sql.unsafe(query));
