// What a Go client opens: many queries at once, on a table that the test has locked, and a word on how they ended.
// Its one argument is the client. DB_POOL_MAX is read where nothing outside the code sets the size.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
)

const query = "select count(*) from gate"

func main() {
	run, err := client(os.Args[1], os.Getenv("DATABASE_URL"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	hold(run)
}

func client(name, url string) (func() error, error) {
	if name == "pgxpool" {
		pool, err := pgxpool.New(context.Background(), url)
		return func() error {
			var count int
			return pool.QueryRow(context.Background(), query).Scan(&count)
		}, err
	}
	db, err := database(name, url)
	if err != nil {
		return nil, err
	}
	if max, err := strconv.Atoi(os.Getenv("DB_POOL_MAX")); err == nil {
		db.SetMaxOpenConns(max)
	}
	return func() error {
		var count int
		return db.QueryRow(query).Scan(&count)
	}, nil
}

func database(name, url string) (*sql.DB, error) {
	switch name {
	case "pgx", "postgres": // as pgx's stdlib and lib/pq register themselves
		return sql.Open(name, url)
	}
	return nil, fmt.Errorf("there is no client %q; expected pgxpool, pgx or postgres", name)
}

func hold(run func() error) {
	requests := 40
	if given, err := strconv.Atoi(os.Getenv("REQUESTS")); err == nil {
		requests = given
	}
	var wait sync.WaitGroup
	errors := make([]error, requests)
	for i := range requests {
		wait.Go(func() { errors[i] = run() })
	}
	wait.Wait()
	seen, words, failed := map[string]bool{}, []string{}, 0
	for _, err := range errors {
		if err == nil {
			continue
		}
		failed++
		if !seen[err.Error()] {
			seen[err.Error()] = true
			words = append(words, err.Error())
		}
	}
	said, _ := json.Marshal(map[string]any{"ok": requests - failed, "failed": failed, "errors": words})
	fmt.Println(string(said))
	select {} // stays
}
