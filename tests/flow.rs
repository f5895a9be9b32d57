//! The whole flow of a subscription: the real daemon, a real Slony-I cluster, sites that use plain psql.

mod support;

use support::{Cluster, Site, Station, Writer};

#[test]
fn a_new_site_gets_its_series_and_then_another_one() {
    let cluster = Cluster::shared();
    let station = Station::started(cluster, "");
    let site = Site::new(cluster, "nso");
    let writer = Writer::start(cluster, &["hmi.m_45s", "hmi.v_45s", "mdi.fd_m_96m_lev18"]);

    let answer = site.subscribe(&station, "hmi.M_45s subscribe\nmdi.fd_M_96m_lev18 subscribe");
    assert!(answer.ends_with("\nhmi.m_45s\nmdi.fd_m_96m_lev18\n"), "{answer}");
    site.apply_logs(&station);
    site.subscribe(&station, "hmi.v_45s subscribe\nmdi.fd_m_96m_lev18 unsubscribe");
    writer.stop();
    site.assert_equal(&station, &["hmi.m_45s", "hmi.v_45s"]);
}
