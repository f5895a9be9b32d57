//! The watch over the PostgreSQL servers.

use crate::case::Case;

#[test]
fn a_server_that_is_not_watched_and_a_command_that_cannot_run_are_said() {
    let case = Case::new();
    let (host, port) = {
        let server = case.station.cluster().server();
        (server.socket_dir().display().to_string(), server.port())
    };
    let rest = "monitor_dbname=postgres\nmonitor_user=postgres\n";
    let back = |case: &Case| case.configure("");
    case.configure(&format!("monitor_nodes={host}:{port}\n{rest}monitor_on_up=sh -c true\n"));
    case.finds(&[]);
    // The same server by another name.
    case.breaks(
        ("warning", "server-unwatched", &format!("{host}:{port}"), "spelled so"),
        |case| case.configure(&format!("monitor_nodes={host}/.:{port}\n{rest}")),
        back,
    );
    case.breaks(
        ("warning", "no-program", "master_down", "/nowhere/page-me"),
        |case| {
            let command = "monitor_on_primary_down=/nowhere/page-me now\n";
            case.configure(&format!("monitor_nodes={host}:{port}\n{rest}{command}"));
        },
        back,
    );
    case.breaks(
        ("warning", "no-program", "hook.ddl_held", "/nowhere/tell"),
        |case| case.configure("hook.ddl_held=/nowhere/tell\n"),
        back,
    );
    case.write("monitor.json", "{\n  \"dbname\": 7\n}");
    let file = format!("monitor_config={}\n", case.at("monitor.json").display());
    case.breaks(
        ("error", "monitor-config", "monitor_config", "line 2, column 13: `dbname` must be a text"),
        |case| case.configure(&file),
        back,
    );
}
