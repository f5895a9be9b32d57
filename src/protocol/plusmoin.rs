//! What plusmoin's commands and status file say, in its words and its form. Nobody here reads it.

use serde_json::{Value, json};

use super::watched::{Place, Server, Watched};

/// The status file.
pub fn write_status(watched: &Watched) -> Vec<u8> {
    let clusters: Vec<Value> = watched
        .clusters
        .keys()
        .map(|number| {
            let mut cluster = cluster(watched, *number);
            cluster["has_master"] = watched.primary(*number).is_some().into();
            cluster
        })
        .collect();
    let status = json!({ "clusters": clusters, "clusterless": clusterless(watched) });
    format!("{status:#}\n").into_bytes()
}

/// What a command reads: the cluster, the server that it is about, and those of no cluster.
pub fn write_input(watched: &Watched, number: u32, about: Option<&Server>) -> String {
    let mut input = cluster(watched, number);
    input["trigger"] = about.map_or(Value::Null, node);
    input["clusterless"] = clusterless(watched);
    format!("{input}\n")
}

fn cluster(watched: &Watched, number: u32) -> Value {
    json!({
        "cluster_id": number,
        "master": watched.primary(number).map_or(Value::Null, node),
        "slaves": nodes(watched, Place::Standby(number)),
        "lost": nodes(watched, Place::Lost(number)),
    })
}

fn clusterless(watched: &Watched) -> Value {
    nodes(watched, Place::Unknown)
}

fn nodes(watched: &Watched, place: Place) -> Value {
    watched.servers.iter().filter(|server| server.place == place).map(node).collect()
}

/// A node entry. Of a server that belongs to no cluster it says what that itself says; -1 and nothing where it never did.
fn node(server: &Server) -> Value {
    let beat = server.beat.as_ref();
    let cluster = server.place.cluster().map(i64::from).or(beat.map(|beat| beat.cluster)).unwrap_or(-1);
    json!({
        "host": server.address.host,
        "port": server.address.port,
        "cluster_id": cluster,
        "is_slave": server.is_standby,
        "master_name": beat.map_or("", |beat| beat.primary.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Beat, Moment};
    use crate::protocol::watched::Cluster;

    #[test]
    fn the_forms_are_those_of_the_reference() {
        let addresses = ["a:1", "b:2", "c:3"].map(|address| address.parse().unwrap());
        let mut watched = Watched::new(&addresses, Moment(0));
        watched.clusters.insert(4, Cluster { begun: Moment(0), heartbeat: None });
        watched.servers[0].place = Place::Primary(4);
        watched.servers[0].beat = Some(Beat { cluster: 4, primary: "a:1".into(), at: Moment(9) });
        watched.servers[1] = Server {
            place: Place::Lost(4),
            is_standby: true,
            beat: Some(Beat { cluster: 3, primary: "x:1".into(), at: Moment(1) }),
            ..watched.servers[1].clone()
        };
        let a = json!({"host": "a", "port": 1, "cluster_id": 4, "is_slave": false, "master_name": "a:1"});
        let b = json!({"host": "b", "port": 2, "cluster_id": 4, "is_slave": true, "master_name": "x:1"});
        let c = json!({"host": "c", "port": 3, "cluster_id": -1, "is_slave": false, "master_name": ""});
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let cluster = json!({"cluster_id": 4, "has_master": true, "master": a, "slaves": [], "lost": [b]});
        assert_eq!(read(&write_status(&watched)), json!({"clusters": [cluster], "clusterless": [c]}));
        let input = write_input(&watched, 4, Some(&watched.servers[1]));
        let expected = json!({"cluster_id": 4, "trigger": b, "master": a, "slaves": [], "lost": [b], "clusterless": [c]});
        assert_eq!(read(input.as_bytes()), expected);
        assert_eq!(read(write_input(&watched, 9, None).as_bytes())["trigger"], Value::Null);
    }
}
