//! Writes a registry to a folder, one CSV file per collection (RFC 4180 with LF line ends). The only module that touches files.

use std::{fs, io, path::Path};

use crate::{Collection, Registry, schema::SHAPES};

const README: &str = "\
ES: DATOS SINTÉTICOS. Estos niños nunca existieron. Las cifras imitan órdenes de magnitud publicados y no describen a nadie;
    no deben usarse para decidir sobre pacientes ni citarse como datos de un país.

PT: DADOS SINTÉTICOS. Estas crianças nunca existiram. Os números imitam ordens de grandeza publicadas e não descrevem ninguém;
    não devem ser usados para decidir sobre pacientes nem citados como dados de um país.

EN: SYNTHETIC DATA. These children never existed. The figures imitate published orders of magnitude and describe nobody;
    they must not be used to decide about patients or be cited as the data of a country.
";

/// Writes `<collection>.csv` for all collections, and `README.txt`, which says in three languages that nothing is real.
///
/// # Errors
/// Where the folder or a file cannot be written.
pub fn to_folder(registry: &Registry, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    for shape in SHAPES {
        if let Some(collection) = registry.collections.get(shape.name) {
            write(collection, &dir.join(format!("{}.csv", shape.name)))?;
        }
    }
    fs::write(dir.join("README.txt"), format!("{}\n{README}", registry.country))
}

fn write(collection: &Collection, path: &Path) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_path(path)?;
    writer.write_record(&collection.header)?;
    for row in &collection.rows {
        writer.write_record(row)?;
    }
    writer.flush()
}
