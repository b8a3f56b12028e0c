// HikariCP with pgjdbc, all from the URL: many queries at once, on a table that the test has locked, and a word on how
// they ended. JDBC wants role and password apart from the host.

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Hikari {
    public static void main(String[] arguments) throws Exception {
        String[] parts = System.getenv("DATABASE_URL").split("//|:(?=[^/]*@)|@", 4);
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(parts[0] + "//" + parts[3]);
        config.setUsername(parts[1]);
        config.setPassword(parts[2]);
        HikariDataSource pool = new HikariDataSource(config);
        hold(() -> {
            try (var connection = pool.getConnection(); var statement = connection.createStatement()) {
                return statement.execute("select count(*) from gate");
            }
        });
    }

    static void hold(Callable<Boolean> query) throws Exception {
        int requests = Integer.parseInt(System.getenv().getOrDefault("REQUESTS", "40"));
        ExecutorService threads = Executors.newFixedThreadPool(requests);
        List<Future<Boolean>> running = new ArrayList<>();
        for (int i = 0; i < requests; i++) {
            running.add(threads.submit(query));
        }
        int ok = 0;
        for (Future<Boolean> one : running) {
            try {
                one.get();
                ok++;
            } catch (Exception error) {
                System.err.println(error);
            }
        }
        System.out.printf("{\"ok\": %d, \"failed\": %d, \"errors\": []}%n", ok, requests - ok);
    }
}
