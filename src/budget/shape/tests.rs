//! What pods of various shapes hold.

use super::*;

fn engine(min: u32, as_written: Option<u32>) -> Engine {
    let as_written = as_written.map_or(Written::Unlimited, Written::Limit);
    let name = "default".into();
    Engine { name, count: 1, min, max: 10, overflow_percent: 40, per_thread: false, as_written, sized: true }
}

fn container(role: Role, processes: u32, engines: Vec<Engine>) -> Container {
    Container {
        name: "c".into(),
        role,
        processes: Count::Known(processes),
        lowered: Lowered::Never,
        threads: None,
        extra: Extra::default(),
        engines,
    }
}

#[test]
fn mlflow_with_the_smallest_safe_pools_holds_eight() {
    let mlflow = Container {
        extra: Extra { per_process: 0, per_pod: 4 },
        engines: vec![Engine { count: 2, ..engine(2, Some(15)) }],
        ..container(Role::Main, 1, vec![])
    };
    let shape = Shape { containers: vec![mlflow] };
    assert_eq!(shape.at_minimum(), Connections::new(8)); // 1 × (2 × 2) + 4
    assert_eq!(shape.as_written(), Connections::new(34)); // 1 × (2 × 15) + 4
}

#[test]
fn init_containers_count_at_their_largest_not_in_sum() {
    let five = || vec![engine(5, Some(5))];
    let shape = |roles: &[(Role, u32)]| Shape {
        containers: roles.iter().map(|&(role, processes)| container(role, processes, five())).collect(),
    };
    assert_eq!(shape(&[(Role::Init, 1), (Role::Main, 1)]).at_minimum(), Connections::new(5));
    assert_eq!(shape(&[(Role::Init, 3), (Role::Main, 1)]).at_minimum(), Connections::new(15));
    // A sidecar started before the init container runs beside it, one started after does not.
    assert_eq!(shape(&[(Role::Sidecar, 1), (Role::Init, 3), (Role::Main, 1)]).at_minimum(), Connections::new(20));
    assert_eq!(shape(&[(Role::Init, 3), (Role::Sidecar, 1), (Role::Main, 1)]).at_minimum(), Connections::new(15));
}

#[test]
fn threads_bound_only_clients_that_connect_per_thread() {
    let threaded = |per_thread| {
        let engines = vec![Engine { per_thread, ..engine(1, None) }];
        Shape { containers: vec![Container { threads: Some(8), ..container(Role::Main, 2, engines) }] }
    };
    assert_eq!(threaded(true).as_written(), Connections::new(16));
    assert_eq!(threaded(true).with_limits(&[3]), Connections::new(6));
    assert_eq!(threaded(false).as_written(), Connections::UNBOUNDED);
}

#[test]
fn a_split_keeps_at_least_one_in_the_pool() {
    for limit in 1..200 {
        for overflow_percent in 0..=99 {
            let split = Engine { overflow_percent, ..engine(1, None) }.split(limit);
            assert!(split.pool >= 1 && split.pool + split.overflow == limit, "{limit} at {overflow_percent} %");
        }
    }
}
